/** `brokerless maintain`: a job behind the writers, now. */

import { type Command, Option } from "commander";
import { snakeCased } from "../../base/names.ts";
import type { Brokerless, JobAnswer } from "../../client/index.ts";
import { sleep } from "../../client/retry.ts";
import { JOB_NAMES } from "../../log/jobs/names.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { examples } from "../help.ts";
import { type OpenedStorage, openNamedStorage, type StorageOptions, withStorage } from "../storage-options.ts";
import { Progress } from "../ui/progress.ts";

/** Those of the log, and those of its groups. */
const MAINTAIN_JOBS = [...JOB_NAMES, "expire", "lag", "transactions", "queues", "offsets"] as const;
export type MaintainJob = (typeof MAINTAIN_JOBS)[number];

interface MaintainOptions extends ServerOptions, StorageOptions {
  readonly job: MaintainJob;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What was sealed a moment ago is rolled when a lost answer could still have been asked for: the jobs wait as long. */
const ROLL_WAIT_MS = 200_000;
const PAUSE_MS = 2000;
/** One run, where the job runs in this process. */
const RUN_MS = 20_000;

export function addMaintainCommand(program: Command, context: Context): void {
  const command = program.command("maintain").description("run a job behind the writers now, and print what it does and why");
  withStorage(withServer(command, context.io))
    .addOption(
      new Option(
        "--job <job>",
        "roll: runs to segments, tails too; merge: small segments to large ones; compact: keep the last record of each key; retain: give up what retention says; " +
          "sweep: delete what nothing refers to; expire: give up offsets of groups that are gone; lag: look at the lag of groups; " +
          "transactions: end those that nobody ends; queues: dead letters and locks that nobody asks for; " +
          "offsets: make __consumer_offsets say what the groups have committed",
      )
        .choices(MAINTAIN_JOBS)
        .makeOptionMandatory(),
    )
    .option("--dry-run", "change nothing, and say what would be done")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `${examples(
        ["brokerless maintain --job retain --dry-run", "what retention would give up now"],
        ["brokerless maintain --job roll", "everything into segments; takes a minute"],
        ["brokerless maintain --job sweep --data ./data", "over the data of a server that is stopped"],
      )}

A server runs the jobs by itself, on AWS functions do. Ctrl-C ends it; what is done is done, and the next run goes on.`,
    )
    .action(async (options: MaintainOptions, self: Command) => {
      const opened = await openNamedStorage(options, self.getOptionValueSource("url") === "cli");
      try {
        await maintain(options, context, opened === undefined ? atServer(connect(options, context)) : inProcess(opened));
      } finally {
        await opened?.close();
      }
    });
}

type Run = (
  job: MaintainJob,
  how: { readonly dryRun: boolean; readonly byHand: boolean; readonly signal: AbortSignal },
) => Promise<JobAnswer>;

function atServer(client: Brokerless): Run {
  return (job, how) => client.admin.runJob(job, how);
}

function inProcess(parts: OpenedStorage): Run {
  return async (job, how) => {
    const lines: string[] = [];
    const say = (line: string): void => {
      lines.push(line);
    };
    // Only here: what a server is asked for starts faster without it.
    const { runJob } = await import("../maintain-jobs.ts");
    const untilMs = parts.clock.monotonicMs() + RUN_MS;
    const { left, ...numbers } = await runJob(job, parts, { ...how, untilMs, say, warn: say });
    return { left, counts: snakeCased(numbers) as Record<string, number>, lines };
  };
}

async function maintain({ job, dryRun = false, json }: MaintainOptions, { io, out, err }: Context, run: Run): Promise<void> {
  const total = new Map<string, number>();
  const all: string[] = [];
  let left = true;
  let byHand = true;
  const progress = new Progress(err, !json, () => `${job}: waiting until what was appended last may be rolled`);
  while (left && !io.interrupted.aborted) {
    const answer = await run(job, { dryRun, byHand, signal: io.interrupted });
    progress.clear();
    for (const [name, count] of Object.entries(answer.counts)) total.set(name, (total.get(name) ?? 0) + count);
    if (json) all.push(...answer.lines);
    else for (const line of answer.lines) await out.line(line);
    left = answer.left;
    // A second sealing would seal what came meanwhile, and have to wait for that.
    if (job === "roll") byHand = false;
    if (dryRun || !left) break;
    if (job !== "roll") continue;
    if (progress.elapsedMs > ROLL_WAIT_MS) break;
    progress.step();
    await sleep(PAUSE_MS, io.interrupted);
  }
  progress.clear();
  const counts = Object.fromEntries(total);
  if (json) return out.json({ job, dry_run: dryRun, left, counts, lines: all });
  const facts = Object.entries(counts).map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`);
  await out.line(
    `${job}${dryRun ? " (dry run)" : ""}: ${facts.join(", ")}${left && !dryRun ? "; the rest goes with the next run" : ""}`,
  );
}
