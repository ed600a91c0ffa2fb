/*-------------------------------------------------------------------------
 *
 * test/fuzz/vectors.h
 *	  Tokens and keys of RFC 7515 and RFC 8037, and keys to be refused.
 *
 *-------------------------------------------------------------------------
 */
typedef struct Vector
{
	const char *algorithm;
	const char *key;			/* base64url of the secret, or PEM */
	const char *token;
} Vector;

static const Vector vectors[] = {
	/* RFC 7515, A.1 */
	{"HS256",
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
		"gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE"
		"jXk"},
	/* RFC 7515, A.2 */
	{"RS256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
		"NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
		"P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
		"9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
		"EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
		"FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
		"oQIDAQAB\n"
		"-----END PUBLIC KEY-----\n",
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
		"lLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
		"Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn"
		"byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHW"
		"EsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
		"cN_IoypGlUPQGe77Rw"},
	/* RFC 7515, A.3 */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
		"-----END PUBLIC KEY-----\n",
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
		"lLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
		"SlSApmWQxfKTUJqPP3-Kg6NU1Q"},
	/* RFC 8037, A.4 */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n",
		"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09P"
		"GcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

/* What each has wrong is in the comment. */
typedef struct Refused
{
	const char *algorithm;
	const char *key;			/* raw secret, or PEM */
	const char *why;			/* among the words of rbac_jose_load() */
} Refused;

static const Refused refused[] = {
	/* 1024 bits */
	{"RS256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDFVVfTMfbICve6iwI7hcAa4QEr\n"
		"iCS5VsMskJNn3GDdRVMT9TH07YQ1QWQWxsfelz8SNnUUUYHNuUtnF62DATTTWR5f\n"
		"895Oyq23jms5hOb+ICejiWLaep2LXFx39tuSlvXvSltZgNVpEAvSVHAYoNjOL7kT\n"
		"si5n/DWfu4NOE4YckQIDAQAB\n"
		"-----END PUBLIC KEY-----\n",
		"2048 bits"},
	/* RSASSA-PSS only */
	{"RS256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBALIzvYap0GbfRQbmdRwbwjNZ\n"
		"Sloz3KOZ396kLbX4kaLFQECpimo8GZVQhtTm7+ROySyMIkwLIunJK5Z8N9B5rV2X\n"
		"rckR9Uz5iPdkmXPIQ7bfYu823UkA89X7kiRqpDAZPBfTjFU58JzUVFKhhvUXuYkC\n"
		"k9smSelDOsDlpxg3aWGdITpQ/IsxDOPAz1sucWr4qrJ9L/Lbm/k6ASDH+XiT5CI+\n"
		"G92wFVzQTW/5LSrhbji0frMbC04mu9C/KMU1UZWEvQteIBwd0CqhzGPug1v7lnFK\n"
		"7p0ERNugj9rHxMU6rZKE+Gl+7/IgR6t6Wvj/yJi3QCDG1SVj/BGc5ZvPLqGfAmcC\n"
		"AwEAAQ==\n"
		"-----END PUBLIC KEY-----\n",
		"an RSA key"},
	/* of the other form */
	{"RS256",
		"-----BEGIN RSA PUBLIC KEY-----\n"
		"MIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W2\n"
		"6mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMs\n"
		"D1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5\n"
		"z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\n"
		"b3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2et\n"
		"hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQAB\n"
		"-----END RSA PUBLIC KEY-----\n",
		"PEM form"},
	/* P-384 */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEPr0BoReIVXTwFeYNwn4CRBC1njvBo0Lg\n"
		"yEdb3T0H3kuabsQi9zv9Ek17MCO5VHXNKMqiYkkdOSLdPaffPW+moBSjM66KNopH\n"
		"GDz6SGd/F4xXUDYd8oJKWNRxZGxQfcW6\n"
		"-----END PUBLIC KEY-----\n",
		"P-256"},
	/* secp256k1 */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeeuPvXe8uc/QETglgJ59Eveb1+kVlwPC\n"
		"rllwTT+KuHNw8F0zoudagOsEj+0srzZJNesFx2ORexlnfZisXE5Lkg==\n"
		"-----END PUBLIC KEY-----\n",
		"P-256"},
	/* P-256, spelt out */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
		"AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
		"///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
		"NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
		"RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"
		"//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABG0Mrf0OpNETyQ8J3EE5PlrZ\n"
		"O3ZCOO2l5b+158LPGel9BhiHAwabb/+7Nfem/tIhLrm+JZQEsMwogeMadPTF9P4=\n"
		"-----END PUBLIC KEY-----\n",
		"P-256"},
	/* the point at infinity */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
		"-----END PUBLIC KEY-----\n",
		"no point"},
	/* no point of the curve */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrA==\n"
		"-----END PUBLIC KEY-----\n",
		"cannot be read"},
	/* a byte after it */
	{"ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQA=\n"
		"-----END PUBLIC KEY-----\n",
		"cannot be read"},
	/* Ed448 */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MEMwBQYDK2VxAzoAiy021C2smIv+7rU60NQ5tVPpMzdQsjUaiP694M23E5zoBILs\n"
		"4HLiMO7TwbtXDdybO4ll8DJsyVOA\n"
		"-----END PUBLIC KEY-----\n",
		"Ed25519"},
	/* private (of RFC 8037, A.1) */
	{"EdDSA",
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
		"-----END PRIVATE KEY-----\n",
		"private key"},
	/* and a private one after it */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n"
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
		"-----END PRIVATE KEY-----\n",
		"private key"},
	/* twice */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n"
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n",
		"after the public key"},
	/* words after it */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n"
		"x",
		"after the public key"},
	/* words before it */
	{"EdDSA",
		"x\n"
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n",
		"PEM form"},
	/* said to be encrypted */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"Proc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"
		"\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n",
		"PEM form"},
	/* cut short */
	{"EdDSA",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC",
		"PEM form"},
	/* none at all */
	{"EdDSA",
		"",
		"PEM form"},
	/* 31 bytes */
	{"HS256",
		"0123456789012345678901234567890",
		"32 bytes"},
};
