/** What every command is given, and the options that every command has that talks to a server. */
import { type Command, Option } from "commander";
import { Brokerless } from "../client/index.ts";
import { nodeCodecs } from "../kafka/codecs/node.ts";
import { type SigningFlags, signingFor } from "./aws-signing.ts";
import type { Io } from "./io.ts";
import type { Output } from "./ui/output.ts";
import { httpUrl } from "./values/parsers.ts";

export interface Context {
  readonly io: Io;
  readonly out: Output;
  readonly err: Output;
}

export const DEFAULT_URL = "http://127.0.0.1:8080";

export interface ServerOptions extends SigningFlags {
  readonly url: string;
  readonly token?: string;
}

export function withServer(command: Command, io: Io): Command {
  return command
    .addOption(
      // Commander reads process.env itself; the CLI has only what it was handed.
      new Option("--url <url>", "the server; BROKERLESS_URL says it once for all")
        .argParser(httpUrl)
        .default(io.env["BROKERLESS_URL"] ?? DEFAULT_URL),
    )
    .addOption(
      new Option("--token <token>", "sent to the server as bearer token; better in BROKERLESS_TOKEN, where ps does not show it"),
    )
    .option("--sigv4", "sign requests for AWS's IAM; done by itself where the host is API Gateway's or a Function URL's")
    .option("--no-sigv4", "do not sign")
    .option("--region <region>", "to sign for; else what the host says, or AWS_REGION");
}

export function connect({ url, token, ...signing }: ServerOptions, { io }: Context): Brokerless {
  const bearer = token ?? io.env["BROKERLESS_TOKEN"];
  return new Brokerless({ url, token: bearer, codecs: nodeCodecs, fetch: signingFor(url, bearer, signing, io.env) });
}
