// The X.509 library, behind what this room needs of it.
//
// Pure but for the keys, which WebCrypto makes. It is imported through load_x509.ts only.

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate with its private key, ready to sign. */
export interface Signer {
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
}

/** PEM texts. */
export interface PemPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateTerms {
  readonly name: string;
  /** Hex, positive. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A self-signed certificate that may sign those of hosts, and nothing else. */
export async function makeAuthority(terms: CertificateTerms): Promise<PemPair> {
  const keys = await generateKeys();
  const { name, serial, notBefore, notAfter } = terms;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    serialNumber: serial,
    notBefore,
    notAfter,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return await toPem(certificate, keys.privateKey);
}

/** A certificate for both ends of a connection. The agent's name comes first. */
export async function makeHost(
  terms: CertificateTerms & { readonly names: readonly JsonGeneralName[] },
  signer: Signer,
): Promise<PemPair> {
  const keys = await generateKeys();
  const { name, serial, notBefore, notAfter, names } = terms;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([...names]),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(signer.certificate),
  ];
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: signer.certificate.subjectName,
    serialNumber: serial,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return await toPem(certificate, keys.privateKey);
}

/**
 * The authority of two PEM texts.
 * @throws Error of the library when they are none
 */
export async function readSigner(pem: PemPair): Promise<Signer> {
  const certificate = new X509Certificate(pem.certificate);
  const [der] = PemConverter.decode(pem.key);
  if (der === undefined) throw new Error("no PEM block");
  const privateKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
  return { certificate, privateKey };
}

/** True when the key of `signer` is that of its certificate. */
export async function belongTogether({ certificate, privateKey }: Signer): Promise<boolean> {
  const proof = new Uint8Array(32);
  const publicKey = await certificate.publicKey.export(ALGORITHM, ["verify"]);
  const signature = await crypto.subtle.sign(ALGORITHM, privateKey, proof);
  return await crypto.subtle.verify(ALGORITHM, publicKey, signature, proof);
}

export function isAuthority({ certificate }: Signer): boolean {
  return certificate.getExtension(BasicConstraintsExtension)?.ca === true;
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function toPem(certificate: X509Certificate, privateKey: CryptoKey): Promise<PemPair> {
  const der = await crypto.subtle.exportKey("pkcs8", privateKey);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${PemConverter.encode(der, "PRIVATE KEY")}\n`,
  };
}
