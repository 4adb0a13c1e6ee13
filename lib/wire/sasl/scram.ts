/**
 * SCRAM (RFC 5802; SHA-256: RFC 7677), the server's side: the user name is a token's id, the password the whole token,
 * which never goes over the wire.
 *
 * S1  A user that is not there is answered like one that is, with a salt that stays the same, and fails at its proof.
 * S2  A nonce of ours is in every proof: none can be used twice. librdkafka before 2.6.1 puts its own nonce before the whole one
 *     once more; that is taken too, for ours is in it still.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { ScramCredential, ScramMechanism, Tokens } from "../../auth/index.ts";
import { SCRAM_ITERATIONS } from "../../auth/index.ts";
import { BrokerlessError } from "../../base/errors.ts";
import type { Ids } from "../../ports/index.ts";
import type { SaslConversation } from "./types.ts";

const NONCE_BYTES = 18;
const SALT_BYTES = 16;
const MESSAGE_BYTES = 4096;

const HASHES: Readonly<Record<ScramMechanism, string>> = { "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512" };

/** What the client's first message says. */
interface Begun {
  /** Its header for channel bindings, which the last message repeats. */
  readonly header: string;
  readonly bare: string;
  readonly clientNonce: string;
  /** The client's, then ours. */
  readonly nonce: string;
  readonly serverFirst: string;
  readonly credential: ScramCredential | undefined;
}

export interface ScramParts {
  readonly tokens: Tokens;
  readonly ids: Ids;
  /** Of this process: makes the salts of users that are not there. */
  readonly pepper: Uint8Array;
}

export function scramConversation(mechanism: ScramMechanism, parts: ScramParts): SaslConversation {
  let begun: Begun | undefined;
  return {
    async step(bytes) {
      const message = textOf(bytes);
      if (begun === undefined) {
        begun = await begin(mechanism, message, parts);
        return { bytes: encode(begun.serverFirst), principal: undefined };
      }
      return finish(mechanism, message, begun);
    },
  };
}

async function begin(mechanism: ScramMechanism, message: string, { tokens, ids, pepper }: ScramParts): Promise<Begun> {
  const match = /^([ny],(?:a=([^,]+))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/.exec(message);
  if (match === null) throw wrong("the first message is not n,,n=<user>,r=<nonce>, without channel binding");
  const [, header = "", authorizeAs, bare = "", name = "", nonce = ""] = match;
  if (authorizeAs !== undefined && authorizeAs !== name) throw wrong("nobody can act as somebody else here");
  const user = name.replace(/=2C/g, ",").replace(/=3D/g, "=");
  const credential = await tokens.scram(user, mechanism);
  const hash = HASHES[mechanism];
  const salt = credential?.verifier.salt ?? createHmac(hash, pepper).update(user).digest().subarray(0, SALT_BYTES);
  const iterations = credential?.verifier.iterations ?? SCRAM_ITERATIONS;
  const whole = nonce + base64(ids.secret(NONCE_BYTES));
  return {
    header,
    bare,
    clientNonce: nonce,
    nonce: whole,
    serverFirst: `r=${whole},s=${base64(salt)},i=${iterations}`,
    credential,
  };
}

function finish(mechanism: ScramMechanism, message: string, begun: Begun) {
  const match = /^(c=([^,]+),r=([^,]+)(?:,[^p][^,]*)*),p=([A-Za-z0-9+/=]+)$/.exec(message);
  const [, withoutProof = "", binding = "", nonce, proof = ""] = match ?? [];
  const isOurs = nonce === begun.nonce || nonce === begun.clientNonce + begun.nonce;
  if (binding !== base64(encode(begun.header)) || !isOurs) throw notValid();
  const { credential } = begun;
  if (credential === undefined) throw notValid();
  const hash = HASHES[mechanism];
  const { storedKey, serverKey } = credential.verifier;
  const auth = `${begun.bare},${begun.serverFirst},${withoutProof}`;
  const signature = createHmac(hash, storedKey).update(auth).digest();
  const given = Buffer.from(proof, "base64");
  if (given.byteLength !== signature.byteLength) throw notValid();
  const clientKey = given.map((byte, i) => byte ^ (signature[i] as number));
  if (!timingSafeEqual(createHash(hash).update(clientKey).digest(), storedKey)) throw notValid();
  const verifier = createHmac(hash, serverKey).update(auth).digest();
  return { bytes: encode(`v=${base64(verifier)}`), principal: credential.principal };
}

function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength > MESSAGE_BYTES) throw wrong(`a message has ${bytes.byteLength} bytes; at most ${MESSAGE_BYTES}`);
  return new TextDecoder().decode(bytes);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function wrong(what: string): BrokerlessError {
  return new BrokerlessError("unauthenticated", `SCRAM: ${what}`);
}

function notValid(): BrokerlessError {
  return new BrokerlessError("unauthenticated", "the token is not valid here: it is mistyped, unknown, expired or revoked");
}
