/** Addresses to listen on, and who can reach them. */
import { isIP } from "node:net";
import { BrokerlessError } from "../base/errors.ts";
import type { AuthKind } from "../http/index.ts";

export interface Address {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port` or `port` (on 127.0.0.1). Throws `invalid_config`. */
export function parseAddress(text: string, field: string): Address {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "127.0.0.1";
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new BrokerlessError(
      "invalid_config",
      `${field}: an address is host:port with a port from 0 to 65535, as in 127.0.0.1:8080; it is ${JSON.stringify(text)}`,
      { field },
    );
  }
  return { host, port };
}

/** Can only programs on this machine reach it? */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  if (isIP(name) === 4) return name.startsWith("127.");
  return name === "::1" || name.startsWith("::ffff:127.");
}

/**
 * Who may call at this address: where nothing was said, whoever is on this machine, and from elsewhere those with a token.
 * Throws `invalid_config` where others are to be let in without one and `insecure` does not say that this is wanted.
 */
export function authFor(
  address: Address,
  asked: AuthKind | undefined,
  insecure: boolean,
  field: "http" | "kafka" = "http",
): AuthKind {
  const auth = asked ?? (insecure || isLoopback(address.host) ? "none" : "token");
  if (auth === "none") requireLoopback(address, insecure, field);
  return auth;
}

/** Throws `invalid_config` for an address that others can reach, unless `insecure` says that this is wanted. */
function requireLoopback(address: Address, insecure: boolean, field: "http" | "kafka"): void {
  if (insecure || isLoopback(address.host)) return;
  throw new BrokerlessError(
    "invalid_config",
    `${formatAddress(address)} can be reached from other machines, and nothing asks them who they are: anyone who reaches it ` +
      "can read, write and delete every topic. Ask for tokens (--auth token), listen on 127.0.0.1, or say --insecure if that is what you want",
    { field },
  );
}

export function formatAddress({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
