/** The settings of a profile, as `run.mjs` hands them over: those of `cases.json`, with their defaults. */

const DEFAULTS = {
  browsableApi: true,
  jwtAlgorithm: 'HS256' as 'HS256' | 'HS384' | 'HS512',
  jwtAudience: null as string | null,
  jwtIssuer: null as string | null,
  jwtLeewaySeconds: 0,
  jwtHeaderTypes: ['Bearer'] as [string, ...string[]],
  jwtAuthTokenTypes: ['access'] as ['access' | 'sliding', ...Array<'access' | 'sliding'>],
  jwtAccessSeconds: 300,
  jwtRefreshSeconds: 86_400,
  jwtSlidingSeconds: 300,
  jwtSlidingRefreshSeconds: 86_400,
  rotateRefresh: false,
  blacklistAfterRotation: false,
  timeZone: 'UTC',
  knoxTtlSeconds: 36_000 as number | null,
  knoxTokenLimit: null as number | null,
  knoxAutoRefresh: false,
  knoxMinRefreshIntervalSeconds: 60,
  knoxAutoRefreshMaxTtlSeconds: null as number | null,
  knoxHeaderPrefix: 'Token',
  knoxTokenPrefix: '',
  knoxTokenLength: 64,
  knoxExpiryFormat: 'iso-8601',
  knoxUserInResponse: false,
}

export type Settings = Readonly<typeof DEFAULTS>

export const settings: Settings = {
  ...DEFAULTS,
  ...(JSON.parse(process.env.CONFORMANCE_ENV ?? '{}') as object),
}
