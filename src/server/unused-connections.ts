/** Connections that have not carried a request yet: clients open them ahead, and Node does not count them as idle. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class UnusedConnections {
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', request => this.#sockets.delete(request.socket));
  }

  /** Closes them: `server.closeIdleConnections()` leaves them open, and a server that closes would wait for them. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
