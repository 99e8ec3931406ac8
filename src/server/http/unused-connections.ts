/** Connections that have not carried a request yet: clients open them ahead, and Node does not count them as idle. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Time for a request that is on its way while the server begins to close: it gets its 503, and not a broken connection. */
const graceMs = 100;

export class UnusedConnections {
  /** By the client's address and port: a request over TLS has another socket than the connection under it. */
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      const peer = peerOf(socket);
      this.#sockets.set(peer, socket);
      socket.once('close', () => {
        if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
      });
    });
    server.on('request', request => this.#sockets.delete(peerOf(request.socket)));
  }

  /** Closes them: `server.closeIdleConnections()` leaves them open, and a server that closes would wait for them. */
  close(): void {
    if (this.#sockets.size === 0) return;
    // A turn of the event loop later, because a busy process comes to what it has been sent after its timers.
    setTimeout(() => setImmediate(() => this.#destroyAll()), graceMs);
  }

  #destroyAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
