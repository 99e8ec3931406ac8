/** Which names reach which model: its own, aliases, and any. */
import { describe, expect, it } from 'vitest';
import { ServedModels } from '../../src/server/models/served-model.js';
import { startFakeServer } from './start-server.js';

const ask = { prompt: 'a', max_tokens: 1 };

describe('aliases', () => {
  it('reach their model, are listed with it, and do not replace its own name in answers', async () => {
    await using server = await startFakeServer({
      naming: { aliases: new Map([['gpt-3.5-turbo-instruct', 'fake']]) },
    });
    const answer = await server.client.completions.create({ ...ask, model: 'gpt-3.5-turbo-instruct' });
    expect(answer.model).toBe('fake');
    expect((await server.client.models.list()).data).toMatchObject([
      { id: 'fake', aliases: ['gpt-3.5-turbo-instruct'] },
    ]);
    expect((await server.client.models.retrieve('gpt-3.5-turbo-instruct')).id).toBe('fake');
    const refused = await server.client.completions.create({ ...ask, model: 'gpt-4' }).catch(error => error);
    expect(refused).toMatchObject({ status: 404, code: 'model_not_found' });
    expect(refused.message).toContain('"fake", "gpt-3.5-turbo-instruct"');
  });

  it('are refused where they lead nowhere or hide a model', async () => {
    await using server = await startFakeServer();
    const fake = { id: 'fake' } as ConstructorParameters<typeof ServedModels>[0][0];
    const named = (alias: string, id: string) => () =>
      new ServedModels([fake], { aliases: new Map([[alias, id]]) });
    expect(named('a', 'b')).toThrow('"b", which is not served');
    expect(named('fake', 'fake')).toThrow('"fake" is a model\'s own');
    expect((await server.client.models.list()).data[0]).not.toHaveProperty('aliases');
  });
});

describe('any model', () => {
  it('takes every name for the first model, and says which model answered', async () => {
    await using server = await startFakeServer({ naming: { anyModel: true } });
    expect((await server.client.completions.create({ ...ask, model: 'gpt-4o-mini' })).model).toBe('fake');
    expect((await server.client.models.retrieve('gpt-4o-mini')).id).toBe('fake');
  });
});
