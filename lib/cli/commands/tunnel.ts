/** `brokerless tunnel`: a local TCP port for Kafka clients, over HTTPS. */
import { type Command, Option } from "commander";
import { BrokerlessError } from "../../base/errors.ts";
import { formatAddress, isLoopback, parseAddress } from "../../server/address.ts";
import type { TunnelEvent } from "../../tunnel/tunnel.ts";
import { signingFor } from "../aws-signing.ts";
import { type Context, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";

interface TunnelFlags extends ServerOptions {
  readonly listen: string;
  readonly advertise?: string;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

/** How long requests may take to be answered at the end. */
const STOP_MS = 10_000;

export function addTunnelCommand(program: Command, context: Context): void {
  withServer(program.command("tunnel"), context.io)
    .description("a local TCP port for every Kafka client, over HTTPS to a server")
    .addOption(
      new Option("--listen <host:port>", "where Kafka clients connect; port 0 takes a free one").default("127.0.0.1:9092"),
    )
    .option("--advertise <host:port>", "where clients are told that the broker is (default: the address that they called)")
    .option("--insecure", "listen where other machines reach it: they need no token where the tunnel has one")
    .option("--json", "print JSON lines")
    .addHelpText(
      "after",
      examples(
        ["brokerless tunnel --url https://abc.execute-api.eu-central-1.amazonaws.com", "then: kcat -b 127.0.0.1:9092 -L"],
        [
          "BROKERLESS_TOKEN=... brokerless tunnel --url https://log.example --listen 127.0.0.1:19092",
          "with a token, on another port",
        ],
      ),
    )
    .action((flags: TunnelFlags) => tunnel(flags, context));
}

async function tunnel(flags: TunnelFlags, { io, out, err }: Context): Promise<void> {
  const { url, json } = flags;
  const { listen, advertise } = addressesOf(flags);
  const token = flags.token ?? io.env["BROKERLESS_TOKEN"];
  const tell = (line: TunnelEvent | { readonly event: string }, text: string): void => {
    if (json === true) out.tell(`${JSON.stringify(line)}\n`);
    else err.tell(`${text}\n`);
  };
  // Only this command needs its code, and the clock's.
  const [{ startTunnel }, { systemClock }] = await Promise.all([
    import("../../tunnel/tunnel.ts"),
    import("../../storage/system/clock.ts"),
  ]);
  const listener = await startTunnel({
    ...listen,
    url,
    token,
    advertise,
    fetch: signingFor(url, token, flags, io.env),
    clock: systemClock,
    onEvent: (event) => tell(event, textOf(event)),
  }).catch((error: unknown) => {
    throw cannotListen(error, flags.listen);
  });
  const at = formatAddress({ host: listen.host, port: listener.port });
  if (json === true) await out.json({ event: "listening", address: at, url });
  else await out.write(`Kafka clients connect to ${at}; it goes on to ${url}\nCtrl-C stops it.\n`);
  try {
    if (!io.interrupted.aborted) {
      await new Promise<void>((resolve) => io.interrupted.addEventListener("abort", () => resolve(), { once: true }));
    }
    tell({ event: "stopping" }, "stopping: requests under way are answered (Ctrl-C again ends at once)");
  } finally {
    await listener.close(STOP_MS);
  }
  tell({ event: "stopped" }, "stopped");
}

function addressesOf({ listen, advertise, insecure }: TunnelFlags): {
  listen: { host: string; port: number };
  advertise: string | undefined;
} {
  try {
    const address = parseAddress(listen, "--listen");
    if (insecure !== true && !isLoopback(address.host)) {
      throw new UsageError(
        `--listen: ${listen} can be reached from other machines, and whoever reaches it is served with this tunnel's token or ` +
          "signature. Listen on 127.0.0.1, or say --insecure if that is what you want",
      );
    }
    return {
      listen: address,
      advertise: advertise === undefined ? undefined : formatAddress(parseAddress(advertise, "--advertise")),
    };
  } catch (error) {
    throw error instanceof BrokerlessError ? new UsageError(error.message) : error;
  }
}

function cannotListen(error: unknown, listen: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return new Error(`cannot listen on ${listen}: another program listens there already`);
  return code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND"
    ? new Error(`cannot listen on ${listen}: ${(error as Error).message}`)
    : error;
}

function textOf({ event, client, message }: TunnelEvent): string {
  switch (event) {
    case "connected":
      return `${client} connected`;
    case "disconnected":
      return `${client} has gone`;
    case "retrying":
      return `${client} waits: ${message}; trying again`;
    case "failed":
      return `${client} closed: ${message}`;
  }
}
