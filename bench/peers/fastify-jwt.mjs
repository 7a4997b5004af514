/** @fastify/jwt with a key of ours: in process, and before a route. */
import fastifyJwtPlugin from '@fastify/jwt'

/**
 * A Fastify whose `jwt.verify` and `request.jwtVerify` take tokens of the key.
 * @param {import('fastify').FastifyInstance} app
 * @param {import('../lib/jwt-tokens.mjs').JwtKey} key
 * @param {object} [verify] options of fast-jwt: `{ cache: 1000 }` remembers so many verified tokens
 */
export async function withFastifyJwt(app, { algorithm, signWith, verifyWith }, verify) {
  await app.register(fastifyJwtPlugin, {
    secret: algorithm === 'HS256' ? verifyWith : { private: signWith, public: verifyWith },
    sign: { algorithm },
    ...(verify === undefined ? {} : { verify }),
  })
  return app
}
