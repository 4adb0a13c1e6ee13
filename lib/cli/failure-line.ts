/** What went wrong, in one line. */
import { CommanderError } from "commander";
import { BrokerlessError } from "../base/errors.ts";
import { exitCodeOf, OutputClosed } from "./exit-codes.ts";

/** Undefined where there is nothing to tell: help was asked for, or nobody reads. */
export function failureLine(error: unknown, json: boolean): string | undefined {
  if (error instanceof OutputClosed) return undefined;
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help")) return undefined;
  const message = messageOf(error);
  if (!json) return `brokerless: ${message}`;
  const known =
    error instanceof BrokerlessError
      ? { code: error.code, outcome: error.outcome, ...(error.field === undefined ? {} : { field: error.field }) }
      : {};
  return JSON.stringify({ error: { message, ...known, exit_code: exitCodeOf(error) } });
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Commander puts its suggestion on a line of its own.
  return text
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim();
}
