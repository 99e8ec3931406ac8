/** Serves a small token model with weights, whose logits are recorded, and a tokenizer of one token a byte. */
import { Engine } from '../../src/runtime/engine.js';
import { loadModel } from '../../src/runtime/load-model.js';
import { openPackage } from '../../src/runtime/open-package.js';
import { OrtEnvironment } from '../../src/runtime/ort/environment.js';
import { OrtLibrary } from '../../src/runtime/ort/library.js';
import { openPlainChatTemplate } from '../../src/tokenizer/chat-template-plain.js';
import { openEncoding } from '../../src/tokenizer/encoding.js';
import { formatRanks } from '../../src/tokenizer/ranks.js';
import { GoldenPackages } from '../golden-package.js';
import { startServer, type TestServer, type TestServerOptions } from './start-server.js';

export interface TokenServer extends TestServer {
  readonly engine: Engine;
}

/** The model is named "base"; ids 0 to 255 are the bytes, and up to the special tokens there are ids without text. */
export async function startTokenServer({
  prefixCacheBytes = 0,
  ...options
}: TestServerOptions & { readonly prefixCacheBytes?: number } = {}): Promise<TokenServer> {
  const packages = new GoldenPackages();
  const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
  const { manifest, ...source } = openPackage(packages.convert('llama-tied-gqa', 'fp32'));
  const { model } = loadModel(environment, { manifest, ...source }, { slots: 8, device: 'cpu' });
  const { bos_token_id: bosTokenId, eos_token_ids } = manifest;
  const engine = new Engine(model, { bosTokenId, prefixCacheBytes });
  const encoding = openEncoding({
    ranks: formatRanks(new Map(Array.from({ length: 256 }, (_, byte) => [byte, Uint8Array.of(byte)]))),
    pattern: '[\\s\\S]',
    specialTokens: { '<|begin|>': bosTokenId, '<|end|>': eos_token_ids[0] as number },
  });
  const server = await startServer(
    [
      {
        id: 'base',
        kind: 'token',
        created: 1_700_000_000,
        chunkSize: 1,
        vocabSize: model.vocabSize,
        maxModelLen: model.contextChunks,
        bosTokenId,
        endTokenIds: [...eos_token_ids, bosTokenId],
        encoding,
        chatTemplate: openPlainChatTemplate(),
        defaults: {},
        engine,
        maxChoices: 512,
      },
    ],
    options,
  );
  return {
    ...server,
    engine,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await engine.close();
      encoding.close();
      environment.close();
      packages.remove();
    },
  };
}
