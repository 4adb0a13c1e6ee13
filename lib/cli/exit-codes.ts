/** How the CLI ends. Listed in `--help` and in `docs/cli.md`. */
import { CommanderError } from "commander";
import { BrokerlessError } from "../base/errors.ts";

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  unknownOutcome: 5,
  sigint: 130,
  sigterm: 143,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    failed; the message says why
  2    wrong usage: an option or its value
  3    there is no such topic or partition
  4    the server cannot be reached
  5    not known whether it was written (no answer came)
  130  stopped by Ctrl-C (143: by SIGTERM)`;

/** A wrong value on the command line that only the command itself can judge. Names the option and the value. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Whoever read the output has gone (`| head`): no failure, there is just nobody to write for. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

const NOT_FOUND: ReadonlySet<string> = new Set(["unknown_topic", "unknown_partition", "unknown_group", "not_found"]);

export function exitCodeOf(error: unknown): number {
  if (error instanceof OutputClosed) return EXIT.ok;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof BrokerlessError)) return EXIT.failure;
  if (error.outcome === "unknown") return EXIT.unknownOutcome;
  if (error.details["unreachable"] === true) return EXIT.unreachable;
  return NOT_FOUND.has(error.code) ? EXIT.notFound : EXIT.failure;
}
