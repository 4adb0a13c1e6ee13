/**
 * Who may call what. Every operation says which right it needs; the dispatcher asks for it before the operation, its query
 * and its body are looked at. Where names come in the body or go out in an answer, the operation asks for each of them
 * (`Exchange.require`, `Exchange.may`).
 */
import { ANYONE, authorize, describeRight, type Principal, type Right, type Tokens } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import type { Clock } from "../ports/index.ts";
import type { Call, Reply } from "./call.ts";

/** `open`: nobody is asked who they are. */
export type Access = "open" | Needed;

interface Needed {
  /** Without a name of its own: on the one that the path names, or on any. */
  readonly right: Right;
  /** The parameter of the path that has the name. */
  readonly param?: string;
}

/** On the topic that the path names. */
export function onTopic(operation: Right["operation"], param: string): Access {
  return { right: { resource: "topic", operation }, param };
}

/** On the group that the path names. */
export function onGroup(operation: Right["operation"], param: string): Access {
  return { right: { resource: "group", operation }, param };
}

/** On one topic at least; the operation asks for each that the request names. */
export function onAnyTopic(operation: Right["operation"]): Access {
  return { right: { resource: "topic", operation } };
}

/** `describe` is everybody's who has a token. */
export function onCluster(operation: Right["operation"]): Access {
  return { right: { resource: "cluster", operation } };
}

/** Throws `forbidden` unless the principal may call the operation with these parameters. */
export function checkAccess({ right, param }: Needed, principal: Principal, params: Readonly<Record<string, string>>): void {
  authorize(principal, param === undefined ? right : { ...right, name: params[param] as string });
}

/** For `/openapi.json`. */
export function describeAccess(access: Access): string {
  if (access === "open") return "Open to everybody.";
  const { right, param } = access;
  if (right.resource === "cluster" && right.operation === "describe") return "Needs a token, where tokens are asked for.";
  return `Needs ${param === undefined ? describeRight(right) : describeRight({ ...right, name: `{${param}}` })}.`;
}

/** Whom the call's token says; waits only where the token is not in the cache. Throws `unauthenticated`. */
export function principalOf(call: Call, tokens: Tokens | undefined): Principal | Promise<Principal> {
  if (tokens === undefined) return ANYONE;
  const header = call.header("authorization");
  if (header === undefined)
    throw new BrokerlessError("unauthenticated", 'who calls must say so: send a token as "Authorization: Bearer <token>"', {
      field: "Authorization",
    });
  const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined)
    throw new BrokerlessError("unauthenticated", 'Authorization takes "Bearer <token>"; it is of another form', {
      field: "Authorization",
    });
  return tokens.authenticate(token);
}

/** How often a stream looks whether its token still holds. */
const LOOK_EVERY_MS = 1000;

/** A reply whose body may last: it breaks off when the token has expired or was revoked. Any other is as it was. */
export function whileValid(reply: Reply, call: Call, tokens: Tokens | undefined, clock: Clock): Reply {
  const { body } = reply;
  if (tokens === undefined || body === null || typeof body === "string" || body instanceof Uint8Array) return reply;
  return { ...reply, body: watched(body, call, tokens, clock) };
}

async function* watched(pieces: AsyncIterable<Uint8Array>, call: Call, tokens: Tokens, clock: Clock): AsyncGenerator<Uint8Array> {
  let lookedMs = clock.monotonicMs();
  for await (const piece of pieces) {
    const nowMs = clock.monotonicMs();
    if (nowMs - lookedMs >= LOOK_EVERY_MS) {
      await principalOf(call, tokens);
      lookedMs = nowMs;
    }
    yield piece;
  }
}
