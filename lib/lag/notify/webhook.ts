/**
 * Notices by HTTP. Each is a POST of JSON with these headers:
 *
 * - `Idempotency-Key`: the notice's id, the same in every repetition.
 * - `Brokerless-Timestamp`: seconds since 1970, of this request.
 * - `Brokerless-Signature`: `v1=` and, in hexadecimal, the HMAC-SHA256 under the secret of the timestamp, a full stop and the
 *   body. With the timestamp in it, a request that was overheard is of no use later.
 */
import type { Clock } from "../../ports/index.ts";
import { type Channel, post, type Send } from "./channel.ts";
import { type Notice, render, type Template } from "./notice.ts";

export interface WebhookSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: everything of the notice. */
  readonly template: Template | undefined;
  /** For the close; undefined: as for the others. */
  readonly closeTemplate: Template | undefined;
}

const encoder = new TextEncoder();

/** Without a secret nothing is signed. */
export function webhook(settings: WebhookSettings, secret: string | undefined, send: Send, clock: Clock): Channel {
  const { url, headers, template, closeTemplate } = settings;
  return {
    async send(notice, timeoutMs) {
      const body = bodyOf(notice.event === "close" ? (closeTemplate ?? template) : template, notice);
      const timestamp = String(Math.floor(clock.nowMs() / 1000));
      const signed: Record<string, string> =
        secret === undefined
          ? {}
          : { "brokerless-timestamp": timestamp, "brokerless-signature": `v1=${await signature(secret, timestamp, body)}` };
      const own = { "content-type": "application/json", "idempotency-key": notice.id, ...signed };
      await post(send, url, { headers: { ...headers, ...own }, body }, timeoutMs);
    },
  };
}

/** The JSON that is sent. */
export function bodyOf(template: Template | undefined, notice: Notice): string {
  return JSON.stringify(template === undefined ? notice : render(template, notice));
}

async function signature(secret: string, timestamp: string, body: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(`${timestamp}.${body}`));
  return Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
