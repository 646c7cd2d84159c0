import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import helmet from 'helmet'

/** An answer of this API is never a page, so nothing of it may load or frame anything; docs.ts loosens this for its own page. */
const POLICY = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
  },
  // It is plain HTTP on loopback; whoever puts TLS in front sets this there.
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' },
} as const

/** What helmet gives every answer. It is the same each time, so helmet is asked once; asking cost as much as finding a task. */
export function securityHeaders(): OutgoingHttpHeaders {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  helmet(POLICY)(request, response, () => undefined)
  return { ...response.getHeaders() }
}
