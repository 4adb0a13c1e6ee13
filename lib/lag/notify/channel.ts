/** Where notices go: a webhook, or a topic of SNS. */
import type { Notice } from "./notice.ts";

export interface Channel {
  /**
   * Resolves when it was taken. Throws an Error that says why it was not, or that it is not known: then it is sent again,
   * and whoever receives it drops what has the same id.
   */
  send(notice: Notice, timeoutMs: number): Promise<void>;
}

/** As the global one, or one that signs. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

const SHOWN = 200;

/** Posts, and throws unless the answer is 2xx. A redirect is not followed: the notice is for this address. */
export async function post(send: Send, url: string, init: RequestInit, timeoutMs: number): Promise<void> {
  const answer = await send(url, { ...init, method: "POST", redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
  const said = (await answer.text()).slice(0, SHOWN).replace(/\s+/g, " ").trim();
  if (answer.ok) return;
  const { host } = new URL(url);
  if (answer.status >= 300 && answer.status < 400)
    throw new Error(`${host} answers ${answer.status}: redirects are not followed; configure the address itself`);
  throw new Error(`${host} answers ${answer.status}${said === "" ? "" : `: ${said}`}`);
}
