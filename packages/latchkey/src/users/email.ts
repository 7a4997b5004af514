/** The rule for e-mail addresses of users. */

/** Only what no mail system takes is refused; whether an address works, a mail to it tells. */
export function emailErrors(email: string): readonly string[] {
  return email === '' || (email.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(email))
    ? []
    : ['Enter a valid email address.']
}
