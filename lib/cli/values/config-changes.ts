/** `--config` and `--delete-config`, as every `alter` has them. */
import type { Command } from "commander";
import { UsageError } from "../exit-codes.ts";
import { collect, configs } from "./parsers.ts";

export interface ConfigOptions {
  readonly config?: Readonly<Record<string, string>>;
  readonly deleteConfig?: readonly string[];
}

export function withConfigOptions(command: Command): Command {
  return command
    .option("--config <name=value>", "set a config; may be repeated", configs)
    .option("--delete-config <name>", "set a config back to its default; may be repeated", collect);
}

/** Null: back to the default. Throws where a config is named twice. */
export function configChangesOf({ config, deleteConfig = [] }: ConfigOptions): Record<string, string | null> {
  const changes: Record<string, string | null> = { ...config };
  for (const name of deleteConfig) {
    if (Object.hasOwn(changes, name)) throw new UsageError(`--delete-config ${name}: --config sets it at the same time`);
    changes[name] = null;
  }
  return changes;
}
