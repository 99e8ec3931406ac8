/** Cuts off clients that hold a connection open and take nothing of what is written to it. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { CalmError } from '../../errors.js';

/**
 * Looks at the server's connections every `timeoutMs`, and closes those that had bytes to take and took none since it
 * looked before: after one to two such times. A connection that is merely idle has nothing to take.
 */
export function dropStalledReaders(server: Server, timeoutMs: number): void {
  /** Connections, with the bytes that each had taken at the last look; null where nothing waited for it. */
  const takenBytes = new Map<Socket, number | null>();
  // Over TLS, what waits for a reader waits in the socket above the connection.
  const opened = server instanceof TlsServer ? 'secureConnection' : 'connection';
  server.on(opened, (socket: Socket) => {
    takenBytes.set(socket, null);
    socket.once('close', () => takenBytes.delete(socket));
  });
  const timer = setInterval(() => {
    for (const [socket, before] of takenBytes) {
      const taken = socket.writableLength > 0 ? socket.bytesWritten - socket.writableLength : null;
      if (taken !== null && taken === before) socket.destroy(stalled());
      else takenBytes.set(socket, taken);
    }
  }, timeoutMs);
  timer.unref();
  server.once('close', () => clearInterval(timer));
}

function stalled(): CalmError {
  return new CalmError(
    'client_too_slow',
    'The connection was closed: its reader took nothing of what waited for it.',
  );
}
