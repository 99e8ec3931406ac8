/** JSON requests to a test server, and what comes back. */

/** An answer, read as JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly error?: { message: string; type: string; param: string | null; code: string | null };
    readonly choices?: readonly { text: string }[];
    readonly [key: string]: unknown;
  };
}

export async function callJson(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Answer['body'],
  };
}

/** Posts a body to the completions of the server at `url`, one that is no object as it is. */
export const postCompletion = (
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  callJson(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
