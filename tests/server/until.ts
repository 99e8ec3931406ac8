/** Resolves at the first turn of the event loop in which the condition holds; the test's timeout is its limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setImmediate(resolve));
}
