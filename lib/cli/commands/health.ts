/** `brokerless health`: is the server there? */
import type { Command } from "commander";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { examples } from "../help.ts";

export function addHealthCommand(program: Command, context: Context): void {
  withServer(
    program.command("health").description("ask the server whether it is ready; exits with 4 when it cannot be reached"),
    context.io,
  )
    .option("--json", "print JSON")
    .addHelpText("after", examples(["until brokerless health; do sleep 1; done", "wait for a server that is starting"]))
    .action(async (options: ServerOptions & { readonly json?: boolean }) => {
      const health = await connect(options, context).admin.health();
      if (options.json) return context.out.json(health);
      const facts = Object.entries(health).filter(([, value]) => typeof value !== "object");
      return context.out.line(`${options.url}: ${facts.map(([name, value]) => `${name} ${String(value)}`).join(", ")}`);
    });
}
