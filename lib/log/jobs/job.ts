/** What the jobs behind the writers have in common: each can die at any point, be run again, and run twice at once. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock, Ids, Storage } from "../../ports/index.ts";

/** What a job works on. */
export interface JobParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** How one run of a job goes. */
export interface JobRun {
  /** On the clock's `monotonicMs`: nothing new is begun after it, and what is left waits for the next run. */
  readonly untilMs: number;
  /** When it aborts, nothing new is begun. */
  readonly signal?: AbortSignal | undefined;
  /** Nothing is changed: `say` tells what would be done. */
  readonly dryRun?: boolean;
  /** Somebody asked for it: it looks at everything, due or not. */
  readonly byHand?: boolean;
  /** One line on what an operator should know; scheduled runs say it too. */
  readonly warn?: (line: string) => void;
  /** One line for each thing that is done, or would be, and why. */
  readonly say?: (line: string) => void;
}

/** What a run did, in numbers by name; `left` when there is more to do at once or soon. */
export interface JobReport {
  readonly left: boolean;
  readonly [count: string]: number | boolean;
}

/** Is there time for another step? */
export function mayGoOn({ untilMs, signal }: JobRun, clock: Clock): boolean {
  return signal?.aborted !== true && clock.monotonicMs() < untilMs;
}

/** Works on one partition. What is damaged there is said, and does not hold the others up: undefined. */
export async function unlessDamaged<T>(run: JobRun, name: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    run.warn?.(`${name}: ${error.message}`);
    return undefined;
  }
}
