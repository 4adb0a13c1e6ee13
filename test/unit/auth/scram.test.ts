import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type ScramMechanism, scramVerifier } from "../../../lib/auth/scram.ts";

/** RFC 7677, section 3: user "user", password "pencil". */
const RFC_7677 = {
  salt: Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"),
  iterations: 4096,
  authMessage:
    "n=user,r=rOprNGfwEbeRWgbNEkqO," +
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  clientProof: Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64"),
  serverSignature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] as number)));
}

/** RFC 5802, section 2.2, word by word. */
function hi(hash: string, password: string, salt: Uint8Array, iterations: number): Buffer {
  let u: Buffer = createHmac(hash, password)
    .update(salt)
    .update(Buffer.from([0, 0, 0, 1]))
    .digest();
  let result: Buffer = u;
  for (let i = 1; i < iterations; i++) {
    u = createHmac(hash, password).update(u).digest();
    result = xor(result, u);
  }
  return result;
}

describe("SCRAM verifiers", () => {
  test("RFC 7677's proof is right by them, and they make its server signature", async () => {
    const { salt, iterations, authMessage, clientProof, serverSignature } = RFC_7677;
    const { storedKey, serverKey } = await scramVerifier("SCRAM-SHA-256", "pencil", salt, iterations);
    const clientKey = xor(clientProof, createHmac("sha256", storedKey).update(authMessage).digest());
    expect(createHash("sha256").update(clientKey).digest()).toEqual(Buffer.from(storedKey));
    expect(createHmac("sha256", serverKey).update(authMessage).digest("base64")).toBe(serverSignature);
  });

  test.each([
    ["SCRAM-SHA-256", "sha256"],
    ["SCRAM-SHA-512", "sha512"],
  ] as [ScramMechanism, string][])("%s is RFC 5802's with that hash", async (mechanism, hash) => {
    const salt = Buffer.from("0123456789abcdef");
    const verifier = await scramVerifier(mechanism, "bkl_abcdefgh_secret", salt, 4096);
    const salted = hi(hash, "bkl_abcdefgh_secret", salt, 4096);
    const clientKey = createHmac(hash, salted).update("Client Key").digest();
    expect({ ...verifier, salt }).toEqual({
      salt,
      iterations: 4096,
      storedKey: createHash(hash).update(clientKey).digest(),
      serverKey: createHmac(hash, salted).update("Server Key").digest(),
    });
  });
});
