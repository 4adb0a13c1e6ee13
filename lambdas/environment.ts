/** What a function is told by its environment, and where it writes. */
import type { Limits } from "../lib/http/index.ts";

const MIB = 1024 * 1024;

/** A process has 1 GB of memory and one request at a time. */
export const LIMITS: Partial<Limits> = { readBytes: 4 * MIB, recordsPerRequest: 20_000 };

/** Whoever gets past the gateway may call only where the deployment says so; else tokens are asked for. */
export const AUTH = process.env["BROKERLESS_AUTH"] === "none" ? "none" : "token";

/** Throws where the deployment does not say it. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set; the EventLog construct sets it`);
  return value;
}

/** One line of the function's log. */
export function line(text: string): void {
  process.stdout.write(`${text}\n`);
}
