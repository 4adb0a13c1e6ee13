/** An agent as a user starts one: the command line, in a process of its own. */
import { start } from "../../e2e/cli/process.ts";
import { EMULATED, type Place } from "./storage.ts";

export interface Agent {
  readonly url: string;
  /** What it has said on stderr. */
  readonly said: () => string;
  /** Resolves with its exit code. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** Credentials and region as the environment hands them to a process. */
export function awsEnvironment(place: Pick<Place, "credentials" | "region"> = EMULATED): Record<string, string> {
  const { credentials, region } = place;
  return {
    ...(region === undefined ? {} : { AWS_REGION: region }),
    ...(credentials === undefined
      ? {}
      : { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey }),
  };
}

/** Resolves when it listens. */
export async function startAgent(
  place: Pick<Place, "table" | "bucket" | "endpoint">,
  more: readonly string[] = [],
): Promise<Agent> {
  const { table, bucket, endpoint = "" } = place;
  const where = ["--storage", "aws", "--table", table, "--bucket", bucket, "--endpoint", endpoint];
  const process = start(["serve", "--http", "127.0.0.1:0", "--json", ...where, ...more], awsEnvironment());
  await process.says('"listening"');
  return {
    url: JSON.parse(process.output.out.split("\n")[0] ?? "").url,
    said: () => process.output.err,
    stop() {
      process.child.kill("SIGTERM");
      return process.ended;
    },
  };
}
