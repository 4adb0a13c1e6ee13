/** ApiVersions (KIP-35, KIP-511): what is served here, and nothing else. */
import { apiVersions } from "../../kafka/protocol/api/api-versions.ts";
import { writeResponse } from "../../kafka/protocol/messages.ts";
import { type Handler, handlerOf, type Surface } from "../call.ts";
import { kafkaError, NO_ERROR } from "../errors.ts";

/** What a client may call itself and its version. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

function served(handlers: readonly Handler[]) {
  return handlers.map(({ api, versions: [minVersion, maxVersion] }) => ({ apiKey: api.key, minVersion, maxVersion }));
}

export const apiVersionsHandler: Handler = handlerOf(apiVersions, async (request, { surface, version, connection }) => {
  const apiKeys = served(surface.handlers);
  if (version < 3) return { ...NO_ERROR, apiKeys };
  const { clientSoftwareName: name, clientSoftwareVersion } = request;
  if (!SOFTWARE.test(name) || !SOFTWARE.test(clientSoftwareVersion)) return { ...kafkaError("INVALID_REQUEST"), apiKeys: [] };
  connection.software = { name, version: clientSoftwareVersion };
  return { ...NO_ERROR, apiKeys, ...features(surface, version) };
});

/** From this version of ApiVersions on clients take a feature that begins at 0. */
const FROM_ZERO = 4;

/** Which version of the transaction protocol clients are to use (KIP-584, KIP-890). */
function features({ transactions }: Surface, version: number) {
  if (transactions === undefined) return {};
  const name = "transaction.version";
  return {
    supportedFeatures: version < FROM_ZERO ? [] : [{ name, minVersion: 0, maxVersion: TRANSACTION_VERSION }],
    finalizedFeaturesEpoch: 0,
    finalizedFeatures: [{ name, minVersionLevel: TRANSACTION_VERSION, maxVersionLevel: TRANSACTION_VERSION }],
  };
}

const TRANSACTION_VERSION = 2;

/** A version from the future is answered in version 0, with what is served: the client asks again. */
export function answerUnknownVersion(surface: Surface, correlationId: number): Uint8Array[] {
  const { errorCode } = kafkaError("UNSUPPORTED_VERSION");
  return writeResponse(apiVersions, 0, correlationId, { errorCode, apiKeys: served(surface.handlers) });
}
