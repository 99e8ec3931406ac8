import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { CalmError } from '../errors.js';
import { describeFailure, exitCodeOf } from './exit.js';

describe('exitCodeOf', () => {
  it.each([
    ['a wrong option', new CommanderError(1, 'commander.unknownOption', 'x'), 2],
    ['--help', new CommanderError(0, 'commander.helpDisplayed', 'x'), 0],
    ['wrong usage found later', new CalmError('bad_usage', 'x'), 2],
    ['a model that is not there', new CalmError('bad_package', 'x'), 1],
    ['a bug', new TypeError('x'), 1],
  ])('of %s', (_, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe('describeFailure', () => {
  it('says the sentence and nothing else', () => {
    expect(describeFailure(new CalmError('port_in_use', 'Port 1 is in use.'), false)).toBe(
      'calm: Port 1 is in use.',
    );
  });

  it('never shows a stack trace unless it is asked for one', () => {
    const bug = new TypeError('x is undefined');
    expect(describeFailure(bug, false)).toBe(
      'calm: unexpected failure: x is undefined. Set CALM_DEBUG=1 to see where.',
    );
    expect(describeFailure(bug, true)).toContain('exit.test.ts');
  });

  it('leaves to commander what commander has said', () => {
    expect(describeFailure(new CommanderError(1, 'commander.unknownOption', 'x'), false)).toBeNull();
  });
});
