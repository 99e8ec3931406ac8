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

/** Of llama-server's answer to GET /props. */
const propsSchema = z.looseObject({ build_info: z.string() });

type Server = Pick<Target, 'baseUrl' | 'apiKey'>;

/**
 * "0.1.0, ONNX Runtime 1.30.0, Node v24.1.0", or "llama.cpp b7000-0123abc"; null where the server has no such route or
 * says something else.
 */
export async function readServerVersion(
  server: Server,
  connections: HttpConnections,
  timeoutMs: number,
): Promise<string | null> {
  const said = versionSchema.safeParse(await getJson(server, '/version', connections, timeoutMs));
  if (said.success) {
    const { version, onnxruntime, node } = said.data;
    return [version, onnxruntime && `ONNX Runtime ${onnxruntime}`, node && `Node ${node}`]
      .filter(Boolean)
      .join(', ');
  }
  const props = propsSchema.safeParse(await getJson(server, '/props', connections, timeoutMs));
  return props.success ? `llama.cpp ${props.data.build_info}` : null;
}

/** The answer; null where there is none or it is no JSON. A line of the report is no reason to give a target up. */
async function getJson(
  { baseUrl, apiKey }: Server,
  path: string,
  connections: HttpConnections,
  timeoutMs: number,
): Promise<unknown> {
  const parts: Buffer[] = [];
  let status = 0;
  const url = new URL(`${baseUrl}${path}`);
  const request = { method: 'GET', url, headers: requestHeaders(apiKey), timeoutMs } as const;
  try {
    await exchange(connections, request, {
      head: given => {
        status = given;
      },
      bytes: bytes => void parts.push(bytes),
    });
    return status === 200 ? JSON.parse(Buffer.concat(parts).toString()) : null;
  } catch (error) {
    if (error instanceof RequestFailure || error instanceof SyntaxError) return null;
    throw error;
  }
}
