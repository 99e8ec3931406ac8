/** A call of the load generator that cannot be carried out; its message is a whole sentence for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
