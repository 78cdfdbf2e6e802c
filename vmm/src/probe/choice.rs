//! Which accelerator is taken, and why.

use super::{KvmProbe, kvm};
use crate::spec::Accel;

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccelRequest {
    /// KVM if the probe passes, TCG otherwise.
    #[default]
    Auto,
    /// TCG, without looking at KVM.
    Tcg,
    /// KVM or nothing.
    Kvm,
}

/// What was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The accelerator.
    pub accel: Accel,
    /// Why, in one sentence.
    pub reason: String,
    /// The probe, if it was made.
    pub probe: Option<KvmProbe>,
}

/// KVM was asked for and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("KVM cannot run a stock kernel here: {reason}; use tcg or auto")]
pub struct KvmUnusable {
    /// The probe's reason.
    pub reason: String,
}

/// Chooses the accelerator, by proof.
///
/// # Errors
/// [`KvmUnusable`] if KVM was asked for and the probe fails.
pub fn choose(request: AccelRequest) -> Result<Choice, KvmUnusable> {
    match request {
        AccelRequest::Tcg => Ok(Choice {
            accel: Accel::Tcg,
            reason: "TCG was asked for".into(),
            probe: None,
        }),
        AccelRequest::Auto | AccelRequest::Kvm => decide(request, kvm()),
    }
}

fn decide(request: AccelRequest, probe: KvmProbe) -> Result<Choice, KvmUnusable> {
    let (accel, reason) = match (probe.usable, request) {
        (true, _) => (
            Accel::Kvm,
            format!("KVM ran the probe's guest ({})", probe.reason),
        ),
        (false, AccelRequest::Kvm) => {
            return Err(KvmUnusable {
                reason: probe.reason,
            });
        }
        (false, _) => (
            Accel::Tcg,
            format!("KVM cannot run a stock kernel here: {}", probe.reason),
        ),
    };
    Ok(Choice {
        accel,
        reason,
        probe: Some(probe),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn probe(usable: bool) -> KvmProbe {
        KvmProbe {
            usable,
            reason: "figures".into(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn kvm_only_when_the_probe_passes() {
        let auto = AccelRequest::Auto;
        assert_eq!(decide(auto, probe(true)).unwrap().accel, Accel::Kvm);
        assert_eq!(decide(auto, probe(false)).unwrap().accel, Accel::Tcg);
        assert_eq!(
            decide(AccelRequest::Kvm, probe(true)).unwrap().accel,
            Accel::Kvm
        );
        let refused = decide(AccelRequest::Kvm, probe(false)).unwrap_err();
        assert!(refused.to_string().contains("figures"));
    }

    #[test]
    fn tcg_is_taken_without_a_probe() {
        let choice = choose(AccelRequest::Tcg).unwrap();
        assert_eq!((choice.accel, choice.probe), (Accel::Tcg, None));
    }
}
