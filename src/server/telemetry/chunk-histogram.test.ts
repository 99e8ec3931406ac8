import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ChunkHistogram } from './chunk-histogram.js';

describe('ChunkHistogram', () => {
  it("prints what prom-client's own histogram prints", async () => {
    const ours = new Registry();
    const theirs = new Registry();
    const about = { name: 'calm:test_seconds', help: 'A test.', buckets: [0.1, 1, 10] };
    const chunkHistogram = new ChunkHistogram({ ...about, registry: ours });
    const histogram = new Histogram({ ...about, labelNames: ['model_name'], registers: [theirs] });
    for (const model_name of ['a', 'b"']) {
      const series = chunkHistogram.addSeries({ model_name });
      histogram.zero({ model_name });
      for (const value of model_name === 'a' ? [0, 0.1, 0.10001, 5, 10, 11, 1e9] : []) {
        series.observe(value, 3);
        for (let i = 0; i < 3; i++) histogram.observe({ model_name }, value);
      }
    }
    const text = await ours.metrics();
    expect(text).toContain('calm:test_seconds_count{model_name="a"} 21');
    expect(text.split('\n')).toEqual((await theirs.metrics()).split('\n'));
  });
});
