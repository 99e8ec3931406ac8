/** Connections that have not carried a request yet: clients open them ahead, and Node does not count them as idle. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Time for a request that is on its way while the server begins to close: it gets its 503, and not a broken connection. */
const graceMs = 100;

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
    if (this.#sockets.size === 0) return;
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
  }
}
