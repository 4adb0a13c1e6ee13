/**
 * Who may do what: rights (pure), and the tokens that carry them. A surface asks for `authorize(principal, right)` before
 * it does anything for the principal, whom `Tokens` tells it.
 */
export { ANYONE, allows, authorize, describeRight, type Grant, type Principal, type Right } from "./rights.ts";
export { SCRAM_ITERATIONS, SCRAM_MECHANISMS, type ScramMechanism } from "./scram.ts";
export { type ScramCredential, Tokens } from "./tokens.ts";
