import { BrokerlessError } from "../base/errors.ts";
import type { RunningServer, ServerOptions } from "./types.ts";

/** Starts the server and resolves when it listens. Throws `invalid_config` when it may not or cannot listen there. */
export async function startServer(_options: ServerOptions = {}): Promise<RunningServer> {
  throw new BrokerlessError("internal", "not built yet");
}
