/**
 * Calling a log on AWS that IAM guards. Runs wherever there is `fetch` and Web Crypto.
 *
 *     const fetch = signingFetch({ credentials: fromNodeProviderChain() });
 *     const client = new Brokerless({ url: "https://abc.execute-api.eu-central-1.amazonaws.com", fetch });
 */
export { type SigningScope, scopeOfHost } from "./place.ts";
export { type AwsCredentials, type SigningOptions, signingFetch } from "./signing.ts";
