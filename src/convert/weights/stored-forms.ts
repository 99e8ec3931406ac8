/** The forms in which parameters stand in the data file, as the graphs need to know them. */
import type { ExternalTensor } from '../onnx/graph-builder.js';
import type { LayerKind } from './parameters.js';
import type { BlockFormat } from './quantize.js';

/** A matrix for MatMul: [inputs, outputs] in the activation type. */
export interface DenseMatrix {
  readonly form: 'dense';
  readonly tensor: ExternalTensor;
}

/** A matrix for MatMulNBits. */
export interface BlockMatrix {
  readonly form: 'blocks';
  readonly format: BlockFormat;
  readonly data: ExternalTensor;
  readonly scales: ExternalTensor;
  readonly zeroPoints: ExternalTensor | null;
}

/** A matrix for products of integers: int8 levels and one float32 scale an output. */
export interface ChannelMatrix {
  readonly form: 'channels';
  /** Of a linear layer [inputs, outputs], of a table [vocabulary, size]. */
  readonly levels: ExternalTensor;
  /** One an output, or a table's row. */
  readonly scales: ExternalTensor;
}

export interface StoredLinear {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: DenseMatrix | BlockMatrix | ChannelMatrix;
  readonly bias: ExternalTensor | null;
}

export interface StoredNorm {
  readonly weight: ExternalTensor;
  readonly bias: ExternalTensor | null;
}

/** A dense table is [vocabulary, size]; of a quantized one `lookup` is its data as [vocabulary, bytes a row]. */
export type StoredTable =
  | {
      readonly form: 'dense';
      readonly rows: number;
      readonly columns: number;
      readonly tensor: ExternalTensor;
    }
  | {
      readonly form: 'blocks';
      readonly rows: number;
      readonly columns: number;
      readonly matrix: BlockMatrix;
      readonly lookup: ExternalTensor;
    }
  | {
      readonly form: 'channels';
      readonly rows: number;
      readonly columns: number;
      readonly matrix: ChannelMatrix;
      /** int8 zeros, one a row: QGemm takes scales of many outputs with as many zero points only. */
      readonly zeroPoints: ExternalTensor;
    };

/** How one matrix was stored, for the model card. */
export interface StorageRecord {
  readonly name: string;
  readonly kind: LayerKind;
  readonly elements: number;
  readonly format: BlockFormat | 'channels' | null;
  readonly squaredError: number;
  readonly squaredNorm: number;
}
