/** `brokerless group alter`, and what `describe --configs` prints. */
import type { Command } from "commander";
import type { Brokerless } from "../../client/index.ts";
import { type Context, connect, type ServerOptions } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { table } from "../ui/table.ts";
import { type ConfigOptions, configChangesOf, withConfigOptions } from "../values/config-changes.ts";

/** Adds options, examples and what it does to the command. */
export function addAlter(command: Command, context: Context): void {
  withConfigOptions(command)
    .addHelpText(
      "after",
      examples(
        ["brokerless group alter billing --config consumer.session.timeout.ms=60000", "a member may be silent for a minute"],
        ["brokerless group alter billing --delete-config consumer.session.timeout.ms", "back to the default"],
      ),
    )
    .action(async (name: string, options: ServerOptions & ConfigOptions & { readonly json?: boolean }) => {
      const changes = configChangesOf(options);
      const changed = Object.keys(changes);
      if (changed.length === 0) throw new UsageError("nothing to alter: give --config or --delete-config");
      await connect(options, context).groups.alterConfigs(name, changes);
      if (options.json) return context.out.json({ group: name, altered_configs: changed });
      return context.out.line(`${name} altered: ${changed.join(", ")}`);
    });
}

export async function printConfigs(client: Brokerless, group: string, json: boolean, { out }: Context): Promise<void> {
  const configs = await client.groups.configs(group);
  if (json) return out.json(Object.fromEntries(configs.map(({ name, value }) => [name, value])));
  return out.write(
    table(
      ["CONFIG", "VALUE", "DEFAULT"],
      configs.map(({ name, value, isDefault }) => [name, value, isDefault ? "yes" : "no"]),
    ),
  );
}
