import { describe, expect, it } from 'vitest';
import { parseStat, startCpuMeter } from './cpu.js';

describe('parseStat', () => {
  it('reads parent and CPU seconds whatever the command is called', () => {
    const fields = '7 (a) b (c d)) S 42 7 7 0 -1 4194560 9 0 0 0 1250 350 5 6 20 0 1 0 100 1 1';
    expect(parseStat(fields)).toEqual({ parent: 42, seconds: 16 });
  });

  it('has nothing to say about anything else', () => {
    expect(parseStat('')).toBeNull();
    expect(parseStat('1 (x) S')).toBeNull();
  });
});

describe('startCpuMeter', () => {
  it('gives cores kept busy over the time that has passed', () => {
    let nowMs = 0;
    let seconds = 5;
    const stop = startCpuMeter(
      123,
      () => nowMs,
      () => seconds,
    );
    nowMs = 4000;
    seconds = 11;
    expect(stop().serverCores).toBe(1.5);
  });

  it('has no figure for a server without a process here', () => {
    expect(startCpuMeter(null)().serverCores).toBeNull();
    expect(startCpuMeter(1, undefined, () => null)().serverCores).toBeNull();
  });

  it('finds this process where there is /proc', () => {
    const { serverCores } = startCpuMeter(process.pid)();
    if (process.platform === 'linux') expect(serverCores).not.toBeNull();
    else expect(serverCores).toBeNull();
  });
});
