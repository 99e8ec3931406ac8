/** Programs that the scripts run for their output. */
import { spawn } from 'node:child_process';

/**
 * Runs a program to its end.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {readonly number[]} [codes] exit codes that are no failure
 * @returns {Promise<{ stdout: string, stderr: string }>} of stderr, the end
 * @throws Error with its last words where it cannot be started or ends otherwise
 */
export function runProgram(file, args, codes = [0]) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr = (stderr + text).slice(-20_000);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (codes.includes(code)) resolve({ stdout, stderr });
      else reject(new Error(stderr.trim().split('\n').at(-1) || `${file} ended with ${signal ?? code}`));
    });
  });
}
