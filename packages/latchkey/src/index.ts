/** Everything that embedders import from `latchkey`, by name and by room. */

export { ApiRequest } from './api-request.js'
export type { Authenticator, CredentialRequest, KeywordClaim } from './authenticators/authenticator.js'
export { type BasicAuthenticationOptions, basicAuthentication } from './authenticators/basic.js'
export {
  type JwtAuthenticationOptions,
  jwtAuthentication,
  jwtKind,
  jwtStatelessUserAuthentication,
} from './authenticators/jwt.js'
export { ambientAuthentication, type OwnOriginOptions } from './authenticators/own-origin.js'
export {
  type RemoteUserAuthenticationOptions,
  remoteUserAuthentication,
} from './authenticators/remote-user.js'
export { sessionAuthentication } from './authenticators/session.js'
export {
  type SecretKind,
  type TokenAuthenticationOptions,
  tokenAuthentication,
} from './authenticators/token.js'
export type { Broadcast } from './broadcast/broadcast.js'
export { type Clock, systemClock } from './clock.js'
export { Keyring, MIN_SECRET_LENGTH, SECRET_PREFIX, type SecretSource } from './crypto/keyring.js'
export type { SealedRecord, SealedSigningKey, SealedToken } from './crypto/sealed-record.js'
export { secretWeakness } from './crypto/secret-weakness.js'
export { type JwksOptions, jwks } from './endpoints/jwks.js'
export {
  type JwtCookieMode,
  type JwtEndpointOptions,
  type JwtLoginOptions,
  tokenBlacklist,
  tokenObtainPair,
  tokenObtainSliding,
  tokenRefresh,
  tokenRefreshSliding,
  tokenVerify,
} from './endpoints/jwt.js'
export { type Knox, type KnoxLogin, type KnoxOptions, knox } from './endpoints/knox.js'
export { type ObtainAuthTokenOptions, obtainAuthToken } from './endpoints/obtain-auth-token.js'
export {
  type PersonalTokens,
  type PersonalTokensOptions,
  personalTokens,
} from './endpoints/personal-tokens.js'
export type { SessionEndpointOptions } from './endpoints/session/session-cookies.js'
export { type SessionLoginOptions, sessionLogin } from './endpoints/session/session-login.js'
export { sessionLogout } from './endpoints/session/session-logout.js'
export {
  ERRORS,
  type ErrorCode,
  type FieldErrors,
  isLatchkeyError,
  LatchkeyError,
  type LatchkeyErrorOptions,
} from './errors.js'
export type {
  JwtsRevoked,
  LatchkeyEvent,
  RefreshReused,
  TokenExpired,
  UserLoggedIn,
  UserLoggedOut,
  UserLoginFailed,
} from './events.js'
export type { Gate, GateOutcome } from './gate.js'
export type { GuardPolicy } from './guard.js'
export {
  ANONYMOUS,
  type AuthenticatedIdentity,
  canonicalUserId,
  type Identity,
  isSameUserId,
  type User,
  type UserId,
  userIdSpellings,
} from './identity.js'
export type { JwsAlgorithm } from './jwt/algorithms.js'
export { deleteExpiredJwts } from './jwt/expired-jwts.js'
export type { PublicJwk } from './jwt/jwks.js'
export type { JwtCookieOptions } from './jwt/jwt-cookies.js'
export type { JwtOptions, JwtType, UserDetails } from './jwt/jwt-options.js'
export type { JwtClaims } from './jwt/jwt-payloads.js'
export type { JwtIssueOptions, JwtPage, JwtPair, JwtService, RefreshedJwts } from './jwt/jwt-service.js'
export {
  type SigningKey,
  type SigningKeyOptions,
  signingKey,
  type VerifyingKey,
  type VerifyingKeyOptions,
  verifyingKey,
} from './jwt/signing-key.js'
export type {
  NewSigningKeyOptions,
  RotateOptions,
  SigningKeyInfo,
  SigningKeyState,
  SigningKeys,
} from './jwt/signing-keys.js'
export { createLatchkey, type Latchkey } from './latchkey.js'
export type { LatchkeyOptions } from './latchkey-options.js'
export { printable, printableLines } from './log-text.js'
export { type Argon2idOptions, argon2id } from './passwords/argon2id.js'
export { type BcryptOptions, bcrypt, bcryptSha256 } from './passwords/bcrypt.js'
export { type DjangoRelease, djangoHasher } from './passwords/django.js'
export type { PasswordHasher } from './passwords/hasher.js'
export { md5, sha1, unsaltedMd5, unsaltedSha1 } from './passwords/md5.js'
export {
  commonPassword,
  defaultPasswordValidators,
  maximumLength,
  minimumLength,
  numericPassword,
  type PasswordOwner,
  type PasswordValidator,
  userAttributeSimilarity,
} from './passwords/password-validators.js'
export type { PasswordsOptions } from './passwords/passwords.js'
export { type Pbkdf2Options, pbkdf2Sha1, pbkdf2Sha256 } from './passwords/pbkdf2.js'
export { type ScryptOptions, scrypt } from './passwords/scrypt.js'
export { allowAny } from './permissions/allow-any.js'
export { all, any, not } from './permissions/combine.js'
export { type DefinedScopes, defineScopes, type GrantableScope } from './permissions/define-scopes.js'
export { hasScope } from './permissions/has-scope.js'
export { isAdminUser } from './permissions/is-admin.js'
export { isAuthenticated } from './permissions/is-authenticated.js'
export { isAuthenticatedOrReadOnly } from './permissions/is-authenticated-or-read-only.js'
export {
  type IdentityBehind,
  type Permission,
  type PermissionOptions,
  type PermissionRequest,
  permission,
} from './permissions/permission.js'
export { parseRate, type Rate } from './rates.js'
export type { Handler, HttpRequest, HttpResponse, RouteMatch } from './request.js'
export type { Resealed, Sealer, SealingState } from './sealing/sealer.js'
export type { Services } from './services.js'
export { type CookieOptions, serializeCookie } from './sessions/cookies.js'
export { newCsrfToken } from './sessions/csrf.js'
export type { SessionOptions, SessionService, StartedSession } from './sessions/session-service.js'
export { type MemoryStoreOptions, memoryStore } from './stores/memory.js'
export type * from './stores/store.js'
export { throttleByAddress } from './throttles/by-address.js'
export { throttleAnonymous } from './throttles/by-anonymous.js'
export { throttleByUser } from './throttles/by-user.js'
export { throttleScope } from './throttles/scoped.js'
export type { Throttle, ThrottledRequest } from './throttles/throttle.js'
export type { ListedToken, SecretUse, Token } from './tokens/token.js'
export { isWellFormed, type SecretFormat, secretFormat } from './tokens/token-format.js'
export type { IssueOptions, TokenWishes } from './tokens/token-issuer.js'
export { AUTHTOKEN, type TokenPolicy, type TokenRenewal } from './tokens/token-policy.js'
export { TokenSecret } from './tokens/token-secret.js'
export type { TokenPage } from './tokens/token-selection.js'
export type { IssuedToken, TokenService } from './tokens/token-service.js'
export type { Caller, TokenIdentity } from './tokens/token-verifier.js'
export { emailErrors } from './users/email.js'
export type { Credentials, LoginOptions, LoginService } from './users/login-service.js'
export { type FlagColumn, mapUser, type ObjectIdLike, type UserColumns } from './users/map-user.js'
export type {
  ImportedUser,
  ImportRow,
  ImportUsersOptions,
  RefusedUser,
  UnreadableUser,
  UserImportReport,
} from './users/user-import.js'
export type {
  CreateUserOptions,
  SetPasswordOptions,
  UserService,
} from './users/user-service.js'
export { normalizeUsername, usernameErrors } from './users/username.js'
export { apiView, type MethodName } from './views/api-view.js'
export type { ErrorListener, ExceptionHandler } from './views/error-answer.js'
export { charField, type Fields, validateFields } from './views/fields.js'
export { formParser } from './views/parsers/form.js'
export { type JsonParserOptions, jsonParser } from './views/parsers/json.js'
export { multipartParser } from './views/parsers/multipart.js'
export type { Parser } from './views/parsers/parser.js'
export { UploadedFile } from './views/parsers/uploaded-file.js'
export { browsableRenderer } from './views/renderers/browsable.js'
export { jsonRenderer } from './views/renderers/json.js'
export type { Renderer } from './views/renderers/renderer.js'
export { ApiResponse, type ResponseOptions, response } from './views/response.js'
export type { View, ViewHandler, ViewOptions, ViewPolicy } from './views/view.js'
