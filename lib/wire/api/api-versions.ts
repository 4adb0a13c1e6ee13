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

/** Which versions of the protocols of transactions (KIP-890) and share groups (KIP-932) clients are to use (KIP-584). */
function features({ transactions, shares }: Surface, version: number) {
  const levels = [
    ...(transactions === undefined ? [] : [{ name: "transaction.version", level: 2 }]),
    ...(shares === undefined ? [] : [{ name: "share.version", level: 1 }]),
  ];
  if (levels.length === 0) return {};
  return {
    supportedFeatures: version < FROM_ZERO ? [] : levels.map(({ name, level }) => ({ name, minVersion: 0, maxVersion: level })),
    finalizedFeaturesEpoch: 0,
    finalizedFeatures: levels.map(({ name, level }) => ({ name, minVersionLevel: level, maxVersionLevel: level })),
  };
}

/** A version from the future is answered in version 0, with what is served: the client asks again. */
export function answerUnknownVersion(surface: Surface, correlationId: number): Uint8Array[] {
  const { errorCode } = kafkaError("UNSUPPORTED_VERSION");
  return writeResponse(apiVersions, 0, correlationId, { errorCode, apiKeys: served(surface.handlers) });
}
