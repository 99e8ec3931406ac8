/** What a target says of the programs behind it, for the report. */
import { z } from 'zod';
import { requestHeaders } from '../client/completion-call.js';
import { exchange, type HttpConnections } from '../client/exchange.js';
import { RequestFailure } from '../client/request-failure.js';
import type { Target } from './target.js';

/** vLLM's answer to GET /version, and what calm-serve's has beside it. */
const versionSchema = z.looseObject({
  version: z.string(),
  onnxruntime: z.string().optional().catch(undefined),
  node: z.string().optional().catch(undefined),
});

/** "0.1.0, ONNX Runtime 1.30.0, Node v24.1.0"; null where the server has no such route or says something else. */
export async function readServerVersion(
  target: Pick<Target, 'baseUrl' | 'apiKey'>,
  connections: HttpConnections,
  timeoutMs: number,
): Promise<string | null> {
  const parts: Buffer[] = [];
  let status = 0;
  const url = new URL(`${target.baseUrl}/version`);
  const request = { method: 'GET', url, headers: requestHeaders(target.apiKey), timeoutMs } as const;
  try {
    await exchange(connections, request, {
      head: given => {
        status = given;
      },
      bytes: bytes => void parts.push(bytes),
    });
    if (status !== 200) return null;
    const { version, onnxruntime, node } = versionSchema.parse(JSON.parse(Buffer.concat(parts).toString()));
    return [version, onnxruntime && `ONNX Runtime ${onnxruntime}`, node && `Node ${node}`]
      .filter(Boolean)
      .join(', ');
  } catch (error) {
    // A line of the report is no reason to give a target up.
    if (error instanceof RequestFailure || error instanceof SyntaxError || error instanceof z.ZodError)
      return null;
    throw error;
  }
}
