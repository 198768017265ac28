//! The body of an answer that tells its connection when it is over.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};

use super::connection_state::ConnectionState;

/// A request that is being answered: over when this is dropped, with its answer or without.
pub(super) struct Answering(Arc<ConnectionState>);

impl Answering {
    /// None when the connection was told to end just before.
    pub(super) fn begin(state: &Arc<ConnectionState>) -> Option<Self> {
        state.begin().then(|| Self(Arc::clone(state)))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// The body of an answer.
pub(super) struct AnswerBody<B> {
    pub(super) body: B,
    pub(super) _answering: Answering,
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
