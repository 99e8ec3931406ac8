/**
 * Floating-point operations of generation: two for each multiply-add of a matrix product or of attention, nothing else.
 * At one candidate a step and 2048 steps of context this is the paper's Table 1.
 */

/** Sizes of a Transformer backbone. */
export interface BackboneShape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Heads times head size: columns of the query projection. */
  readonly attentionSize: number;
  /** Key-value heads times head size. */
  readonly kvSize: number;
  readonly vocabSize: number;
}

/** Sizes of a token model. */
export interface TokenShape {
  readonly kind: 'token';
  readonly backbone: BackboneShape;
}

/** Sizes of a CALM's head. */
export type HeadShape =
  | { readonly kind: 'energy'; readonly blocks: number; readonly noiseSize: number }
  /** `evaluations`: how often a candidate asks the network. */
  | { readonly kind: 'flow' | 'diffusion'; readonly blocks: number; readonly evaluations: number };

/** Sizes of a CALM. */
export interface CalmShape {
  readonly kind: 'calm';
  readonly backbone: BackboneShape;
  /** Tokens a chunk, K. */
  readonly chunkSize: number;
  readonly latentSize: number;
  readonly head: HeadShape;
  /** Of its MLP layers, the first half sees one vector a chunk, the rest one a token. */
  readonly decoder: {
    readonly hiddenSize: number;
    readonly intermediateSize: number;
    readonly layers: number;
  };
}

export type ModelShape = TokenShape | CalmShape;

/** FLOPs of one step, by part. */
export interface StepFlops {
  /** Projections and MLPs of the backbone, and what makes its input from a chunk's embeddings. */
  readonly backbone: number;
  /** Products of queries, keys and values over the whole context. */
  readonly attention: number;
  /** Of the head, what depends on the hidden state alone, and is shared by all candidates; or the output matrix. */
  readonly headOnce: number;
  /** The rest of the head, for one candidate. */
  readonly headPerCandidate: number;
  /** The autoencoder's decoder, for one candidate. */
  readonly decoderPerCandidate: number;
}

/** FLOPs of one step that attends to `contextSteps` steps. */
export function stepFlops(shape: ModelShape, contextSteps: number): StepFlops {
  const { layers, hiddenSize: h, intermediateSize, attentionSize, kvSize, vocabSize } = shape.backbone;
  const layer = 2 * h * attentionSize + 2 * h * kvSize + 3 * h * intermediateSize;
  const attention = 4 * contextSteps * attentionSize * layers;
  if (shape.kind === 'token') {
    return {
      backbone: 2 * layers * layer,
      attention,
      headOnce: 2 * h * vocabSize,
      headPerCandidate: 0,
      decoderPerCandidate: 0,
    };
  }
  const { chunkSize } = shape;
  const input = chunkSize * h * 2 * h + 2 * h * h;
  return {
    backbone: 2 * (layers * layer + input),
    attention,
    ...headFlops(shape),
    decoderPerCandidate: decoderFlops(shape),
  };
}

function headFlops({
  head,
  latentSize,
  backbone,
}: CalmShape): Pick<StepFlops, 'headOnce' | 'headPerCandidate'> {
  const h = backbone.hiddenSize;
  const { blocks } = head;
  if (head.kind === 'energy') {
    return {
      headOnce: 2 * (h * h + blocks * h * h),
      headPerCandidate: 2 * (head.noiseSize * h + blocks * 5 * h * h + h * h + h * latentSize),
    };
  }
  // Three modulations a block and two of the final layer; a diffusion's answer has a second half, its spread.
  const modulations = 3 * blocks + 2;
  const answer = head.kind === 'diffusion' ? 2 * latentSize : latentSize;
  return {
    headOnce: 2 * (h * h + head.evaluations * modulations * h * h),
    headPerCandidate: 2 * head.evaluations * (latentSize * h + 2 * blocks * h * h + h * answer),
  };
}

function decoderFlops({ decoder, chunkSize, latentSize, backbone }: CalmShape): number {
  const { hiddenSize: d, intermediateSize, layers } = decoder;
  const mlp = 3 * d * intermediateSize;
  const chunkLayers = Math.floor(layers / 2);
  const expand = chunkSize * d * d;
  const output = chunkSize * d * backbone.vocabSize;
  return 2 * (latentSize * d + mlp * (chunkLayers + chunkSize * (layers - chunkLayers)) + expand + output);
}

/** What is counted: how long the context is, and how many candidates a step draws. */
export interface FlopsSetting {
  readonly contextSteps: number;
  readonly candidates: number;
}

/** FLOPs for each generated token, by part; the head of a token model is its output matrix. */
export type TokenFlops = Readonly<Record<'backbone' | 'attention' | 'head' | 'decoder', number>>;

/** FLOPs for each generated token, by part: a step makes K of them. */
export function flopsPerTokenByPart(
  shape: ModelShape,
  { contextSteps, candidates }: FlopsSetting,
): TokenFlops {
  const step = stepFlops(shape, contextSteps);
  const tokens = shape.kind === 'calm' ? shape.chunkSize : 1;
  return {
    backbone: step.backbone / tokens,
    attention: step.attention / tokens,
    head: (step.headOnce + candidates * step.headPerCandidate) / tokens,
    decoder: (candidates * step.decoderPerCandidate) / tokens,
  };
}

/** FLOPs for each generated token. */
export function flopsPerToken(shape: ModelShape, setting: FlopsSetting): number {
  return Object.values(flopsPerTokenByPart(shape, setting)).reduce((sum, flops) => sum + flops, 0);
}
