/** A fake model that decodes only as many steps as a test allows. */
import type { FakeModel } from '../server/fake-model.js';

/** @returns allows some more steps with rows that decode */
export function holdSteps(model: FakeModel): (count: number) => void {
  const step = model.step.bind(model);
  let allowed = 0;
  let wake = (): void => {};
  model.step = async plan => {
    while (allowed === 0 && plan.decode.length > 0) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    if (plan.decode.length > 0) allowed -= 1;
    return step(plan);
  };
  return count => {
    allowed += count;
    wake();
  };
}
