import { type Types, volumeLoader } from "@cornerstonejs/core";

/** Images fetched at the same time. */
const atOnce = 6;

interface Request {
  callLoadImage: (imageId: string, index: number, options: unknown) => Promise<unknown>;
  imageId: string;
  imageIdIndex: number;
  options: unknown;
}

/** What of Cornerstone's streaming volume is used here. */
type Streaming = Types.IStreamingImageVolume & {
  autoRenderOnLoad: boolean;
  getImageLoadRequests: (priority: number) => Request[];
};

/** The images of a series as a volume, which fills from the image that is looked at. */
export class Volume {
  private ended = false;

  private constructor(
    readonly volumeId: string,
    private readonly volume: Streaming,
  ) {}

  static async of(volumeId: string, imageIds: string[]): Promise<Volume> {
    return new Volume(volumeId, (await volumeLoader.createAndCacheVolume(volumeId, { imageIds })) as Streaming);
  }

  /** Fetches all images, those near `nearest` first. */
  async fill(nearest: string) {
    const { volume } = this;
    // Drawing after every other image takes longer than fetching them; the viewer draws when it has time.
    volume.autoRenderOnLoad = false;
    if (volume.loadStatus) volume.loadStatus.loading = true;
    const requests = volume.getImageLoadRequests(5);
    const at = requests.findIndex(({ imageId }) => imageId === nearest);
    const distance = ({ imageIdIndex }: Request) => Math.abs(imageIdIndex - Math.max(0, at));
    const waiting = requests.sort((a, b) => distance(a) - distance(b));
    const fetchOn = async () => {
      for (let next = waiting.shift(); next && !this.ended; next = waiting.shift()) {
        // What fails is told by an event of Cornerstone.
        await next.callLoadImage.call(volume, next.imageId, next.imageIdIndex, next.options).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, fetchOn));
  }

  /** Nothing more is fetched. */
  end() {
    this.ended = true;
    this.volume.cancelLoading();
  }
}
