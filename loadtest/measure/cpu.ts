/** CPU time of the client and of a server process, so that a report shows who was the limit. */
import { readdirSync, readFileSync } from 'node:fs';

/** Cores kept busy on average; 2 is two whole cores. Null where nobody can tell. */
export interface CpuShare {
  readonly clientCores: number | null;
  readonly serverCores: number | null;
}

/** Linux reports process times to user space in units of 1/100 s (USER_HZ), whatever the kernel's own clock is. */
const ticksPerSecond = 100;

/** Reads CPU seconds that a process and its living descendants have used; null where /proc does not say. */
export type ServerCpuReader = (pid: number) => number | null;

/** Starts measuring; the returned function ends it. */
export function startCpuMeter(
  serverPid: number | null,
  now: () => number = () => performance.now(),
  readServer: ServerCpuReader = readProcessTree,
): () => CpuShare {
  const startMs = now();
  const client = process.cpuUsage();
  const server = serverPid === null ? null : readServer(serverPid);
  return () => {
    const seconds = (now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(client);
    const serverNow = serverPid === null ? null : readServer(serverPid);
    return {
      clientCores: seconds > 0 ? (user + system) / 1e6 / seconds : null,
      serverCores:
        seconds > 0 && server !== null && serverNow !== null ? (serverNow - server) / seconds : null,
    };
  };
}

interface ProcessTimes {
  readonly parent: number;
  readonly seconds: number;
}

function readProcessTree(pid: number): number | null {
  const all = new Map<number, ProcessTimes>();
  for (const name of listProcesses()) {
    const times = /^\d+$/.test(name) ? readStat(name) : null;
    if (times) all.set(Number(name), times);
  }
  const root = all.get(pid);
  if (!root) return null;
  let seconds = 0;
  for (const [other, times] of all) {
    if (descendsFrom(other, pid, all)) seconds += times.seconds;
  }
  return seconds;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function readStat(pid: string): ProcessTimes | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

/** Parent and CPU seconds of a line of /proc/PID/stat (proc(5)); the command name may hold spaces and brackets. */
export function parseStat(line: string): ProcessTimes | null {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [parent, userTicks, systemTicks] = [fields[1], fields[11], fields[12]].map(Number);
  if (parent === undefined || userTicks === undefined || systemTicks === undefined) return null;
  const seconds = (userTicks + systemTicks) / ticksPerSecond;
  return Number.isFinite(seconds) ? { parent, seconds } : null;
}

function descendsFrom(pid: number, ancestor: number, all: ReadonlyMap<number, ProcessTimes>): boolean {
  for (let current: number | undefined = pid; current; current = all.get(current)?.parent) {
    if (current === ancestor) return true;
  }
  return false;
}
