import { IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
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

/**
 * Responses that have what helmet gives every answer, whoever writes them. It is the same each time, so helmet is asked once; a hook that
 * sets them one by one took longer than finding a task.
 */
export function secureResponse(): typeof ServerResponse {
  const headers = securityHeaders()
  return class SecureResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    // The framework hands over an object, and for a stream has set all one by one; the other forms of this method are not used here.
    override writeHead(status: number, ...rest: HeadArguments): this {
      const own = rest.at(-1)
      if (typeof own === 'object' && !Array.isArray(own)) return super.writeHead(status, { ...headers, ...own })
      return super.writeHead(status, { ...headers, ...this.getHeaders() })
    }
  }
}

type HeadArguments =
  | [reason?: string, headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]]
  | [headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]]

function securityHeaders(): OutgoingHttpHeaders {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  helmet(POLICY)(request, response, () => undefined)
  return { ...response.getHeaders() }
}
