//! The statuses of refusals, each with what it means wherever it is answered.

/// What a status says, in one line; of what is no refusal, that it was done.
pub(super) fn meaning(status: u16) -> &'static str {
    match status {
        101 => "the connection is a WebSocket from now on",
        200 => "as asked",
        201 => "made",
        202 => "some of it was kept, or kept aside",
        204 => "done, or nothing found",
        303 => "goes on to a page",
        400 => "something of the request cannot be read, or is out of range; the message names it",
        401 => "no session and no token that counts, or a wrong password",
        403 => {
            "known, and not allowed: the role does not suffice, the change came without its X-Hilum-Csrf, or from another site's page"
        }
        404 => "nothing of that name that the caller may know of",
        406 => "nothing that the Accept header allows can be given",
        408 => "the body did not arrive in time",
        409 => "the state does not allow it",
        413 => "the body is too long",
        415 => "a media type or coding that is not taken",
        421 => "the server is called by a name that is not its own",
        422 => "the body can be read, but is not what is expected; or a kept object is damaged",
        426 => "the address is a WebSocket, and the request opens none",
        429 => "too many requests, or too many wrong passwords; Retry-After says when to go on",
        431 => "the head of the request is too long",
        500 => "a fault of the server; its log says more",
        502 => "the peer or the OpenID provider does not answer, or says what cannot be used",
        503 => "busy; the same may work later",
        507 => "the disk is full",
        _ => "see the message",
    }
}

/// What every request may meet before its handler sees it.
pub(super) const EVERYWHERE: [u16; 6] = [400, 421, 429, 431, 500, 503];
