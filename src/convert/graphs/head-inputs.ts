/** What every head is given. */
export interface HeadInputs {
  /** [B, h], in the activation type. */
  readonly hidden: string;
  /** int64 [N]: each candidate's row of `hidden`; null where candidate n belongs to row n. */
  readonly row: string | null;
  /** float32 [N, noise size]. */
  readonly noise: string;
}
