//! `hilum phantom`

use hilum_imaging::phantom::{Contrast, PatientPosition, PhantomRecipe, Region, StonePlan};

use crate::{
    cli::{PhantomArguments, PhantomContrast, PhantomPosition, PhantomRegion},
    failure::WrongCall,
    phantom_files::{self, SeriesSet},
    progress,
};

pub fn run(arguments: &PhantomArguments) -> anyhow::Result<()> {
    let last = arguments.seed.checked_add(arguments.studies);
    let Some(last) = last.filter(|_| arguments.studies > 0) else {
        return Err(WrongCall("--studies is at least 1, and the last seed a 64-bit number".to_owned()).into());
    };
    recipe(arguments, arguments.seed).check().map_err(|error| WrongCall(error.to_string()))?;
    let series = if arguments.all_series { SeriesSet::All } else { SeriesSet::Axial };
    let bar = progress::bar("making studies");
    progress::set_total(&bar, arguments.studies);
    let mut made = Vec::new();
    for seed in arguments.seed..last {
        made.push(phantom_files::write(&arguments.out, &recipe(arguments, seed), series)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&made)?);
    } else {
        for files in made {
            println!("{}: {} instances, {} stones", files.folder.display(), files.instances, files.stones);
        }
    }
    Ok(())
}

fn recipe(arguments: &PhantomArguments, seed: u64) -> PhantomRecipe {
    PhantomRecipe {
        seed,
        matrix: arguments.matrix,
        slice_thickness_mm: arguments.thickness,
        slice_spacing_mm: arguments.spacing,
        stones: arguments.stones.map_or(StonePlan::Random, StonePlan::Count),
        region: match arguments.region {
            PhantomRegion::AbdomenPelvis => Region::AbdomenPelvis,
            PhantomRegion::Abdomen => Region::Abdomen,
            PhantomRegion::Pelvis => Region::Pelvis,
            PhantomRegion::Chest => Region::Chest,
            PhantomRegion::Neck => Region::Neck,
            PhantomRegion::Head => Region::Head,
            PhantomRegion::Torso => Region::Torso,
        },
        contrast: match arguments.contrast {
            PhantomContrast::None => Contrast::None,
            PhantomContrast::Arterial => Contrast::Arterial,
            PhantomContrast::Portal => Contrast::Portal,
            PhantomContrast::Excretory => Contrast::Excretory,
        },
        position: match arguments.position {
            PhantomPosition::Hfs => PatientPosition::HeadFirstSupine,
            PhantomPosition::Hfp => PatientPosition::HeadFirstProne,
            PhantomPosition::Ffs => PatientPosition::FeetFirstSupine,
            PhantomPosition::Ffp => PatientPosition::FeetFirstProne,
        },
        ..PhantomRecipe::default()
    }
}
