/** Log-probabilities of a prompt's own tokens, from the hidden states that its prefill leaves behind. */
import { type TokenLogprobs, tokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import type { TokenManifest } from './manifest.js';
import type { PieceScoring } from './model.js';
import { Binding } from './ort/binding.js';
import { byteLength } from './ort/element-type.js';
import { activationElementType } from './ort/graph-contract.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Allocator, NativeBuffer, Tensor } from './ort/memory.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** The logits of all positions of a call are in memory at once; this bounds them. */
const LOGIT_BYTES_PER_CALL = 16 << 20;
const MAX_POSITIONS_PER_CALL = 64;

/** Hidden states of one prefill piece, and the head that makes logits of them. */
export class PromptScores implements Closable {
  readonly #head: Session;
  readonly #manifest: TokenManifest;
  readonly #hidden: NativeBuffer;
  readonly #logits: TensorBuffer;
  readonly #positionsPerCall: number;
  readonly #owned = new HandleStack();

  /** `head` is the session of the graph lm_head; pieces have `positions` positions at most. */
  constructor(head: Session, allocator: Allocator, manifest: TokenManifest, positions: number) {
    this.#head = head;
    this.#manifest = manifest;
    const { vocab_size, backbone } = manifest;
    const logitBytes = byteLength('float32', [vocab_size]);
    const fitting = Math.max(1, Math.floor(LOGIT_BYTES_PER_CALL / logitBytes));
    this.#positionsPerCall = Math.min(MAX_POSITIONS_PER_CALL, fitting);
    const bytes = byteLength(activationElementType(manifest), [positions, backbone.hidden_size]);
    this.#hidden = this.#owned.own(allocator.allocate(bytes));
    this.#logits = this.#owned.own(
      new TensorBuffer(head.hostAllocator, 'float32', this.#positionsPerCall * vocab_size),
    );
  }

  /** Where the backbone is to write the hidden states of a piece, [1, positions, h]. The caller closes it. */
  hiddenStates(positions: number): Tensor {
    const { hidden_size } = this.#manifest.backbone;
    return this.#hidden.tensor(activationElementType(this.#manifest), [1, positions, hidden_size]);
  }

  /** What the states that were written there say of each follower; position i belongs to follower i. */
  async read({ followers, topCount }: PieceScoring): Promise<TokenLogprobs[]> {
    const scores: TokenLogprobs[] = [];
    for (let start = 0; start < followers.length; start += this.#positionsPerCall) {
      const batch = followers.slice(start, start + this.#positionsPerCall);
      await this.#runHead(start, batch.length);
      for (const [index, token] of batch.entries()) {
        scores.push(tokenLogprobs(this.#logitsOf(index), token, topCount));
      }
    }
    return scores;
  }

  close(): void {
    this.#owned.close();
  }

  async #runHead(start: number, positions: number): Promise<void> {
    const { vocab_size, backbone } = this.#manifest;
    const element = activationElementType(this.#manifest);
    const offset = byteLength(element, [start, backbone.hidden_size]);
    const handles = new HandleStack();
    try {
      const hidden = handles.own(this.#hidden.tensor(element, [positions, backbone.hidden_size], offset));
      const binding = handles.own(new Binding(this.#head));
      binding.bindInput('hidden', hidden);
      binding.bindOutput('logits', this.#logits.tensor([positions, vocab_size]));
      await binding.run();
    } finally {
      handles.close();
    }
  }

  #logitsOf(index: number): Float32Array {
    const size = this.#manifest.vocab_size;
    return this.#logits.floats.subarray(index * size, (index + 1) * size);
  }
}
